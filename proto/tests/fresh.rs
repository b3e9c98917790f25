//! The committed code and descriptors are what the `.proto` files generate. `UPDATE=1 cargo test -p correlate-proto --test fresh`
//! writes it anew.

use prost::Message as _;
use std::path::Path;

const FILES: [&str; 5] = [
    "correlate/v1/capture.proto",
    "correlate/v1/batch.proto",
    "correlate/v1/coordinator.proto",
    "correlate/v1/trust.proto",
    "correlate/v1/operator.proto",
];
const GENERATED: &str = "correlate.v1.rs";
const DESCRIPTORS: &str = "correlate.v1.bin";

#[test]
fn generated_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(FILES, [root.join("proto")]).expect("the .proto files compile");
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        // Comments are for readers of the files.
        file.source_code_info = None;
    }
    is_committed(&root.join("src/generated").join(DESCRIPTORS), &bare.encode_to_vec());
    let out = tempfile::tempdir().expect("a temporary directory");
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .btree_map(".")
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code generates");
    let fresh = std::fs::read(out.path().join(GENERATED)).expect("the generated file");
    is_committed(&root.join("src/generated").join(GENERATED), &fresh);
}

fn is_committed(path: &Path, fresh: &[u8]) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, fresh).expect("the committed file is written");
    }
    let committed = std::fs::read(path).expect("the committed file");
    assert!(
        fresh == committed,
        "{} is stale; run `UPDATE=1 cargo test -p correlate-proto --test fresh` and commit it",
        path.display()
    );
}

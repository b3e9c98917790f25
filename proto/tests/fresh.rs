//! The committed code is what the `.proto` files generate. `UPDATE=1 cargo test -p correlate-proto --test fresh`
//! writes it anew.

use std::path::Path;

const FILES: [&str; 5] = [
    "correlate/v1/capture.proto",
    "correlate/v1/batch.proto",
    "correlate/v1/coordinator.proto",
    "correlate/v1/trust.proto",
    "correlate/v1/operator.proto",
];
const GENERATED: &str = "correlate.v1.rs";

#[test]
fn generated_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(FILES, [root.join("proto")]).expect("the .proto files compile");
    let out = tempfile::tempdir().expect("a temporary directory");
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .btree_map(".")
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code generates");
    let fresh = std::fs::read_to_string(out.path().join(GENERATED)).expect("the generated file");
    let committed = root.join("src/generated").join(GENERATED);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&committed, &fresh).expect("the committed file is written");
    }
    let committed = std::fs::read_to_string(&committed).expect("the committed file");
    assert!(
        fresh == committed,
        "src/generated/{GENERATED} is stale; run `UPDATE=1 cargo test -p correlate-proto --test fresh` and commit it"
    );
}

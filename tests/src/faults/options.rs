//! What the fault run is asked for.

use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Kills and cuts off coordinator and agents at random moments of a session, and checks after each round that every packet
that was captured is in the recording once, that every gap is told, that nothing is accused (the traffic is healthy), and
that the recording gives the same report again.

usage: faults [OPTIONS]

  --rounds N       so many rounds (default: 20)
  --seed S         seed of the first round; each further one has the next (default: 1)
  --binary PATH    the program (default: `correlate` beside this one)
  --folder DIR     works there; recordings of rounds that fail stay (default: a folder beside the program)

It needs namespaces: root, or a kernel that allows user namespaces. The exit status is 1 if a round fails.
";

/// The options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many rounds.
    pub rounds: u64,
    /// Seed of the first.
    pub seed: u64,
    /// The program.
    pub binary: Option<PathBuf>,
    /// Where to work.
    pub folder: Option<PathBuf>,
}

impl Options {
    /// Reads the command line; `None`: the help is asked for.
    pub fn read(args: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { rounds: 20, seed: 1, binary: None, folder: None };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            if name == "--help" {
                return Ok(None);
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value; see --help"))?;
            let number = || value.parse().map_err(|_| format!("{name} {value} is no number"));
            match name.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seed" => options.seed = number()?,
                "--binary" => options.binary = Some(PathBuf::from(value)),
                "--folder" => options.folder = Some(PathBuf::from(value)),
                _ => return Err(format!("there is no {name}; see --help")),
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let read = |text: &str| Options::read(text.split_whitespace().map(str::to_owned));
        let options = read("--rounds 3 --seed 9").unwrap().unwrap();
        assert_eq!((options.rounds, options.seed, options.binary), (3, 9, None));
        assert_eq!(read("--help"), Ok(None));
        assert!(read("--rounds").is_err() && read("--rounds x").is_err() && read("--round 3").is_err());
    }
}

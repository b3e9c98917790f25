//! What the scoreboard is asked for.

use super::condition::{Condition, Place, Quality};
use correlate_lab::{IpVersion, Offloads};
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Runs the scenarios of the lab, judges their captures, and holds every verdict against what the middlebox wrote down.

usage: scoreboard [OPTIONS]

Which runs:
  --scenario NAME     only this scenario; may be repeated (default: all)
  --seeds N           seeds 1 to N (default: 3)
  --seed N            this seed; may be repeated
  --ip 4|6|both       over which IP (default: both)
  --offloads off|on|both
                      with super-packets or without (default: both)
  --quick             the selection that CI checks: seed 1, over IPv4 without offloads and over IPv6 with them; clean,
                      and with 2 % and 10 % of the records missing at either end
  --list              lists the scenarios

How they are judged:
  --quality clean|0.5|2|10
                      percentage of the records that is taken out of the recordings; may be repeated (default: all)
  --at client|server|both
                      out of whose; may be repeated (default: each)
  --no-vouch          nobody vouches for the captures: what their first and last frames do not cover proves nothing
                      (default: those that run all the time are vouched for, as live captures know when they ran)

What comes of it:
  --explain           prints every finding of every judgement with its evidence, and what is wrong with it
  --wrong PATH        writes what is wrong, worst first, each with the command that shows it again
  --json PATH         writes all figures
  --baseline PATH     fails if a figure is worse than in this file, which --json has written for the same selection
  --figures PATH      plays nothing: takes these figures, which --json has written, to compare with the baseline
  --keep DIR          keeps the recordings; what is there already is not run again, but judged again
  --jobs N            so many runs at once (default: 2)

Examples:
  scoreboard --quick
  scoreboard --json figures.json --wrong wrong.md --keep /var/tmp/recordings
  scoreboard --scenario rst-injected --seed 2 --ip 4 --offloads off --quality 2 --at server --explain

It needs namespaces: root, or a kernel that allows user namespaces. The captures that a run judges can be given to
`correlate analyze` as well. The exit status is 1 if a figure is worse than in the baseline, 2 after an error.
";

const IPS: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];
const OFFLOADS: [Offloads; 2] = [Offloads::Off, Offloads::On];

fn kinds(ips: &[IpVersion], offloads: &[Offloads]) -> Vec<(IpVersion, Offloads)> {
    ips.iter().flat_map(|ip| offloads.iter().map(|offloads| (*ip, *offloads))).collect()
}

/// The options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Scenarios; all if empty.
    pub scenarios: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Versions of IP, and offloads.
    pub kinds: Vec<(IpVersion, Offloads)>,
    /// Qualities of the recordings.
    pub qualities: Vec<Quality>,
    /// Where records are missing.
    pub places: Vec<Place>,
    /// Captures that run all the time are vouched for.
    pub vouch: bool,
    /// Lists the scenarios and does nothing else.
    pub list: bool,
    /// Prints every finding.
    pub explain: bool,
    /// Where to write what is wrong.
    pub wrong: Option<PathBuf>,
    /// Where to write the figures.
    pub json: Option<PathBuf>,
    /// With what to compare them.
    pub baseline: Option<PathBuf>,
    /// Figures to be compared in place of new ones.
    pub figures: Option<PathBuf>,
    /// Where recordings are kept.
    pub keep: Option<PathBuf>,
    /// Runs at once.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scenarios: Vec::new(),
            seeds: vec![1, 2, 3],
            kinds: kinds(&IPS, &OFFLOADS),
            qualities: Quality::ALL.to_vec(),
            places: Place::ALL.to_vec(),
            vouch: true,
            list: false,
            explain: false,
            wrong: None,
            json: None,
            baseline: None,
            figures: None,
            keep: None,
            jobs: 2,
        }
    }
}

impl Options {
    /// Reads a command line; `None` if it asks for help. An error is a sentence.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let mut given = Given::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--list" => options.list = true,
                "--no-vouch" => options.vouch = false,
                "--explain" => options.explain = true,
                "--quick" => options.quick(),
                _ => {
                    let value = inline.or_else(|| words.next());
                    let value = value.ok_or_else(|| format!("{name} needs a value; see --help"))?;
                    options.take(&name, value, &mut given)?;
                }
            }
        }
        given.overrule(&mut options);
        Ok(Some(options))
    }

    /// The conditions under which each recording is judged.
    pub fn conditions(&self) -> Vec<Condition> {
        Condition::of(&self.qualities, &self.places)
    }

    fn quick(&mut self) {
        self.seeds = vec![1];
        self.kinds = vec![(IpVersion::V4, Offloads::Off), (IpVersion::V6, Offloads::On)];
        self.qualities = vec![Quality::Clean, Quality::TwoPercent, Quality::TenPercent];
        self.places = vec![Place::Client, Place::Server];
    }

    fn take(&mut self, name: &str, value: String, given: &mut Given) -> Result<(), String> {
        let wrong = || format!("{name} {value} makes no sense; see --help");
        match name {
            "--scenario" => self.scenarios.push(value),
            "--seed" => given.seeds.push(value.parse().map_err(|_| wrong())?),
            "--seeds" => self.seeds = (1..=value.parse().map_err(|_| wrong())?).collect(),
            "--quality" => given.qualities.push(Quality::from_word(&value).ok_or_else(wrong)?),
            "--at" => given.places.push(Place::from_word(&value).ok_or_else(wrong)?),
            "--ip" => {
                given.ips = match value.as_str() {
                    "4" => vec![IpVersion::V4],
                    "6" => vec![IpVersion::V6],
                    "both" => IPS.to_vec(),
                    _ => return Err(wrong()),
                }
            }
            "--offloads" => {
                given.offloads = match value.as_str() {
                    "off" => vec![Offloads::Off],
                    "on" => vec![Offloads::On],
                    "both" => OFFLOADS.to_vec(),
                    _ => return Err(wrong()),
                }
            }
            "--wrong" => self.wrong = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            "--baseline" => self.baseline = Some(value.into()),
            "--figures" => self.figures = Some(value.into()),
            "--keep" => self.keep = Some(value.into()),
            "--jobs" => self.jobs = value.parse().ok().filter(|jobs| *jobs > 0).ok_or_else(wrong)?,
            _ => return Err(format!("there is no option {name}; see --help")),
        }
        Ok(())
    }
}

/// Options that, given once, replace the default, and given again, add to it.
#[derive(Debug, Default)]
struct Given {
    seeds: Vec<u64>,
    qualities: Vec<Quality>,
    places: Vec<Place>,
    ips: Vec<IpVersion>,
    offloads: Vec<Offloads>,
}

impl Given {
    fn overrule(self, options: &mut Options) {
        if !self.seeds.is_empty() {
            options.seeds = self.seeds;
        }
        if !self.qualities.is_empty() {
            options.qualities = self.qualities;
        }
        if !self.places.is_empty() {
            options.places = self.places;
        }
        if !self.ips.is_empty() || !self.offloads.is_empty() {
            let ips = if self.ips.is_empty() { &IPS[..] } else { &self.ips };
            let offloads = if self.offloads.is_empty() { &OFFLOADS[..] } else { &self.offloads };
            options.kinds = kinds(ips, offloads);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_given_overrules_what_is_usual_and_what_quick_says() {
        let options =
            read("--quick --quality 10 --quality clean --seed 7 --at=both --jobs 1").unwrap().unwrap();
        assert_eq!((options.seeds, options.jobs), (vec![7], 1));
        assert_eq!(options.qualities, [Quality::TenPercent, Quality::Clean]);
        assert_eq!(options.places, [Place::Both]);
        assert_eq!(options.kinds.len(), 2);
        assert_eq!(read("--quick --ip 4").unwrap().unwrap().kinds.len(), 2, "offloads off and on");
        assert_eq!(read("--ip 6 --offloads on").unwrap().unwrap().kinds, [(IpVersion::V6, Offloads::On)]);
        assert_eq!(read("").unwrap().unwrap(), Options::default());
        assert_eq!(read("--ip 4 --help"), Ok(None));
    }

    #[test]
    fn nonsense_is_named() {
        for (line, named) in [
            ("--seeds many", "--seeds many"),
            ("--quality 3", "--quality 3"),
            ("--jobs 0", "--jobs 0"),
            ("--json", "--json needs a value"),
            ("--fast 1", "no option --fast"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn the_clean_recording_is_judged_once() {
        let names: Vec<String> = Options::default().conditions().into_iter().map(Condition::name).collect();
        assert_eq!((names.len(), names[0].as_str(), names[1].as_str()), (10, "clean", "0.5-at-client"));
    }
}

//! Which runs are made.

use super::options::Options;
use core::fmt;
use correlate_lab::{IpVersion, Offloads, Scenario, catalogue};

/// One run of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The scenario's name.
    pub scenario: String,
    /// The seed of all its dice.
    pub seed: u64,
    /// Which IP it runs over.
    pub ip: IpVersion,
    /// Whether super-packets cross its links.
    pub offloads: Offloads,
}

impl Variant {
    /// Its name as a folder.
    pub fn name(&self) -> String {
        format!("{}-{}-{}-{}", self.scenario, ip_word(self.ip), offloads_word(self.offloads), self.seed)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, offloads) = (ip_word(self.ip), offloads_word(self.offloads));
        write!(f, "{} (IPv{ip}, offloads {offloads}, seed {})", self.scenario, self.seed)
    }
}

/// Its word on the command line.
pub const fn ip_word(ip: IpVersion) -> &'static str {
    match ip {
        IpVersion::V4 => "4",
        IpVersion::V6 => "6",
    }
}

/// Its word on the command line.
pub const fn offloads_word(offloads: Offloads) -> &'static str {
    match offloads {
        Offloads::On => "on",
        Offloads::Off => "off",
        Offloads::ClientOnly => "client",
        Offloads::ServerOnly => "server",
    }
}

/// The runs that the options ask for, in order, each with its scenario as it is to run.
pub fn runs(options: &Options) -> Result<Vec<(Variant, Scenario)>, String> {
    let all = catalogue();
    if let Some(unknown) =
        options.scenarios.iter().find(|name| all.iter().all(|scenario| scenario.name != name.as_str()))
    {
        return Err(format!("no scenario is called {unknown}; --list lists them"));
    }
    let asked = |scenario: &&Scenario| {
        options.scenarios.is_empty() || options.scenarios.iter().any(|name| name == scenario.name)
    };
    let mut runs = Vec::new();
    for scenario in all.iter().filter(asked) {
        for (ip, offloads) in kinds(options, scenario) {
            let Some(varied) = scenario.variant(ip, offloads) else { continue };
            for seed in options.seeds.iter().copied() {
                let variant = Variant { scenario: scenario.name.to_owned(), seed, ip, offloads };
                runs.push((variant, varied.clone()));
            }
        }
    }
    Ok(runs)
}

/// The kinds that are asked for. Offloads at one end only are what a scenario is about. Where one version of IP or
/// offloads of one sort alone are asked for of all scenarios, one that is about the other runs as itself.
fn kinds(options: &Options, scenario: &Scenario) -> Vec<(IpVersion, Offloads)> {
    let (first_ip, first_offloads) = options.kinds[0];
    let of_all = options.scenarios.is_empty();
    let one_ip = of_all && options.kinds.iter().all(|(ip, _)| *ip == first_ip);
    let one_sort = of_all && options.kinds.iter().all(|(_, offloads)| *offloads == first_offloads);
    let own = |(ip, offloads): &(IpVersion, Offloads)| {
        let ip = if one_ip && scenario.ip == IpVersion::V6 { scenario.ip } else { *ip };
        let offloads = match scenario.offloads {
            Offloads::ClientOnly | Offloads::ServerOnly => scenario.offloads,
            Offloads::On if one_sort => scenario.offloads,
            Offloads::On | Offloads::Off => *offloads,
        };
        (ip, offloads)
    };
    let mut kinds: Vec<(IpVersion, Offloads)> = Vec::new();
    for kind in options.kinds.iter().map(own) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

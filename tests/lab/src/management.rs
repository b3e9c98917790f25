//! A network beside the one under test: it joins the hosts with one where a coordinator runs and one of an operator.

use crate::error::LabError;
use crate::lab::Lab;
use crate::namespace::Namespace;
use crate::netlink::{End, Route};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

const BRIDGE: &str = "management";
/// What a host calls its link to it.
const LINK: &str = "mgmt0";
const PREFIX: u8 = 24;

/// The network. It goes when the hosts do and this value.
#[derive(Debug)]
pub struct Management {
    coordinator: Namespace,
    operator: Namespace,
}

impl Lab {
    /// Joins the hosts, the client first, to a network of their own. Once for each lab.
    pub fn management(&self) -> Result<Management, LabError> {
        let (coordinator, operator) = (Namespace::new("coordinator")?, Namespace::new("operator")?);
        let step = |what: &str| LabError::setup(format!("{what} the management network"));
        let bridge = || {
            let route = Route::open()?;
            route.set_up("lo")?;
            route.add_bridge(&End { name: BRIDGE, mac: mac(0, 0), namespace: None })?;
            route.set_up(BRIDGE)?;
            route.add_address(BRIDGE, address(0), PREFIX)
        };
        coordinator.enter(bridge)?.map_err(step("make"))?;
        let servers = (0..).map_while(|index| self.server(index)).map(|host| &host.namespace);
        let hosts = [&operator, &self.client().namespace].into_iter().chain(servers);
        for (place, host) in (1u8..).zip(hosts) {
            let join = || {
                let route = Route::open()?;
                let port = port(place);
                let near = End { name: &port, mac: mac(1, place), namespace: None };
                let far = End { name: LINK, mac: mac(2, place), namespace: Some(host.as_fd()) };
                route.add_veth(&near, &far)?;
                route.enslave(&port, BRIDGE)?;
                route.set_up(&port)
            };
            coordinator.enter(join)?.map_err(step("join a host to"))?;
            let bring_up = || -> io::Result<()> {
                let route = Route::open()?;
                route.set_up("lo")?;
                route.set_up(LINK)?;
                route.add_address(LINK, address(place), PREFIX)
            };
            host.enter(bring_up)?.map_err(step("bring up"))?;
        }
        Ok(Management { coordinator, operator })
    }
}

impl Management {
    /// Where the coordinator runs.
    pub const fn coordinator(&self) -> &Namespace {
        &self.coordinator
    }

    /// Where the operator sits.
    pub const fn operator(&self) -> &Namespace {
        &self.operator
    }

    /// The address of the coordinator's host.
    pub const ADDRESS: IpAddr = address(0);

    /// Cuts a host off, the client being 0: from now on frames vanish in both directions.
    pub fn cut(&self, host: u8) -> Result<(), LabError> {
        let cut = || Route::open()?.set_down(&port(host + 2));
        self.coordinator.enter(cut)?.map_err(LabError::setup("cut a host off"))
    }

    /// Joins a host again that was cut off.
    pub fn mend(&self, host: u8) -> Result<(), LabError> {
        let mend = || Route::open()?.set_up(&port(host + 2));
        self.coordinator.enter(mend)?.map_err(LabError::setup("join a host again"))
    }
}

fn port(place: u8) -> String {
    format!("mgmt-port{place}")
}

const fn address(place: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 99, 0, place + 1))
}

const fn mac(side: u8, place: u8) -> [u8; 6] {
    [0x02, 0x88, 0, 0, side, place]
}

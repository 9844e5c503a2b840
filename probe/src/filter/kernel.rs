//! The part of a filter that the kernel side can apply, so that what is not wanted costs next to nothing. It
//! passes too much rather than too little: user space filters again.

use ipnet::IpNet;
use probe_common::{MAX_PORTS, MAX_PREFIXES, Prefix, Settings};

use super::Filter;
use crate::record::Family;

impl Filter {
    /// Settings for the programs.
    pub fn in_kernel(&self) -> Settings {
        let mut settings = Settings::OPEN;
        settings.family = match self.family {
            Some(Family::Ipv4) => 2,
            Some(Family::Ipv6) => 10,
            None => 0,
        };
        let ports = || self.remote_port.0.iter().flat_map(|range| range.clone());
        if ports().take(MAX_PORTS + 1).count() <= MAX_PORTS {
            for (slot, port) in settings.remote_ports.iter_mut().zip(ports()) {
                *slot = port;
                settings.remote_ports_len += 1;
            }
        }
        if self.addr.0.len() <= MAX_PREFIXES {
            for (slot, net) in settings.prefixes.iter_mut().zip(&self.addr.0) {
                *slot = prefix(net);
                settings.prefixes_len += 1;
            }
        }
        settings
    }
}

fn prefix(net: &IpNet) -> Prefix {
    let mut prefix = Prefix::default();
    match net {
        IpNet::V4(net) => {
            prefix.addr[..4].copy_from_slice(&net.network().octets());
            prefix.mask[..4].copy_from_slice(&net.netmask().octets());
            prefix.family = 2;
        }
        IpNet::V6(net) => {
            prefix.addr = net.network().octets();
            prefix.mask = net.netmask().octets();
            prefix.family = 10;
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Networks, Ports};

    #[test]
    fn what_fits_is_filtered_in_the_kernel() {
        let filter = Filter {
            remote_port: Ports(vec![80..=80, 443..=444]),
            addr: Networks(vec!["10.1.2.3/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
            ..Filter::default()
        };
        let s = filter.in_kernel();
        assert_eq!((s.remote_ports_len, &s.remote_ports[..3]), (3, &[80, 443, 444][..]));
        assert_eq!(
            (s.prefixes_len, s.prefixes[0].addr[0], s.prefixes[0].mask[..2].to_vec()),
            (2, 10, vec![255, 0])
        );
        assert_eq!((s.prefixes[1].family, s.prefixes[1].mask[4]), (10, 0));
    }

    #[test]
    fn what_does_not_fit_is_left_to_user_space() {
        let filter = Filter { remote_port: Ports(vec![1..=9]), ..Filter::default() };
        assert_eq!(filter.in_kernel().remote_ports_len, 0);
    }
}

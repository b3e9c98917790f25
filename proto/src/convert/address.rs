//! Addresses as octets.

use super::error::ConvertError;
use std::net::IpAddr;

/// 4 or 16 octets in network order.
pub(super) fn to_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address that 4 or 16 octets are; `field` is for the error.
pub(super) fn from_octets(field: &'static str, octets: &[u8]) -> Result<IpAddr, ConvertError> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets)
        .map(IpAddr::from)
        .map_err(|_| ConvertError::Address { field, len: octets.len() })
}

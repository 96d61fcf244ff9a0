//! The simulation: the production engine under a virtual clock, between a network that loses, repeats and reorders, and people who do as
//! people do.
//!
//! All of it follows from one number: the same seed gives the same run, message for message. It owns no socket and reads no clock. [`net`]
//! is the network, [`phone`] a phone with a person at it, [`city`] joins them with the engine and watches the rules of the house.

pub mod city;
pub mod net;
pub mod phone;

#[cfg(test)]
mod tests;

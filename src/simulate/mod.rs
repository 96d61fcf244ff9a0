//! The forecast: days of calls, played through the very matcher that the switchboard runs, under a virtual clock.
//!
//! [`scene`] says who calls and who works, [`world`] plays it with [`acd`](crate::acd)'s demands, skill groups, agents and rules of queues,
//! and tells an observer (such as a [`tally`]) what becomes of each call; [`single`] is the one queue of the textbooks, whose figures
//! [`theory`] knows; [`stats`] says how far a figure can be trusted. A whole house is a [`day`]: played several times, each play gives a
//! [`sheet`], and these an [`outlook`].
//!
//! Nothing here reads a clock or a file: the same scene and seed give the same day.

pub mod day;
pub mod outlook;
pub mod page;
pub mod scene;
pub mod sheet;
pub mod single;
pub mod stats;
pub mod tally;
pub mod theory;
pub mod world;

#[cfg(test)]
mod loan_tests;
#[cfg(test)]
mod tests;

//! `hotline simulate`: days of calls, played through the production matcher under a virtual clock.
//!
//! A [`scene`] says who calls and who works. [`world`] plays it with the demands, skill groups, agents and queue rules
//! of [`acd`](crate::acd). It reports what becomes of each call to an observer, such as a [`tally`]. [`single`] is the
//! one queue of the textbooks, whose figures [`theory`] knows. [`stats`] says how far a figure can be trusted.
//!
//! A whole configuration is a [`day`], played several times. Each play gives a [`sheet`], and the sheets an
//! [`outlook`]; [`page`] shows it.
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

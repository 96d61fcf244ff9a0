//! The engine against scripted parties: whole calls through real messages, under a virtual clock.

mod alive;
mod calls;
mod house;
mod loans;
mod own;
mod ports;
mod register;
mod several;
mod trunks;
mod wait;

//! Plans: on a model of a machine, where the power can be cut at any point, and on the real file system.

mod executor;
mod killed;
mod model_host;
mod moves;
mod pair;
mod properties;
mod real_host;
mod real_place;
mod receipt;
mod stored;
mod testing;

//! Taking what a mutex holds.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a mutex holds, also after a panic of somebody who held it: nothing of ours is left half changed.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

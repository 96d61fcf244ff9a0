//! A value that is replaced as a whole while others read it, such as the routing table.

#[cfg(not(hotline_loom))]
mod swapped {
    use std::ops::Deref;
    use std::sync::Arc;

    use arc_swap::ArcSwap;

    /// Readers see the value that was stored last, or the one before; neither waits for the other.
    pub(crate) struct Published<T>(ArcSwap<T>);

    impl<T> Published<T> {
        pub(crate) fn new(value: T) -> Self {
            Published(ArcSwap::from_pointee(value))
        }

        pub(crate) fn load(&self) -> impl Deref<Target = Arc<T>> {
            self.0.load()
        }

        pub(crate) fn store(&self, value: T) {
            self.0.store(Arc::new(value));
        }
    }
}

#[cfg(not(hotline_loom))]
pub(crate) use swapped::Published;

#[cfg(hotline_loom)]
pub(crate) use crate::modelled::Published;

"""The loop: store, queue, observer, reconciler."""

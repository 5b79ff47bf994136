//! What the plugin's tests share. Each test binary uses a part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod creative;
pub mod numbered;

/// GStreamer with our plugin in it; as often as wanted, from any thread.
pub fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstfacialads::plugin_register_static().unwrap();
    });
}

//! Chromium, controlled through its driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, json};
use threadline_test_server::find_program;
use threadline_test_server::packages::{Piece, how_to_install};

/// The time zone of the browser.
pub const ZONE: &str = "Etc/GMT-3";

/// A driver process that ends with its test.
pub struct Driver {
    process: Child,
    port: String,
}

impl Driver {
    /// Starts the driver, in a time zone.
    ///
    /// # Panics
    ///
    /// Panics if the driver is not installed. The message names the package to install.
    pub fn start(zone: &str) -> Self {
        let program = find_program("chromedriver")
            .unwrap_or_else(|| panic!("{}", how_to_install(&[Piece::Browser])));
        let mut process = Command::new(program)
            .arg("--port=0")
            .env("TZ", zone)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.ok()?;
                let port = line.split("successfully on port ").nth(1)?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("the driver prints its port");
        Self { process, port }
    }

    /// Opens a window of a width in pixels.
    pub async fn window(&self, width: u32, javascript: bool) -> Client {
        let mut capabilities = Map::new();
        let mut preferences = Map::new();
        if !javascript {
            let setting = "profile.managed_default_content_settings.javascript";
            preferences.insert(setting.to_owned(), json!(2));
        }
        // The user that runs tests in a container may be root, who needs `--no-sandbox`.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-lcd-text",
        ];
        // A window cannot be as narrow as a phone, so the screen of a phone is emulated.
        let screen = (width < 500).then(|| json!({
            "deviceMetrics": { "width": width, "height": 844, "pixelRatio": 1.0, "touch": false },
        }));
        let mut options = json!({ "args": arguments, "prefs": preferences });
        if let Some(screen) = screen {
            options["mobileEmulation"] = screen;
        }
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("the driver opens a window");
        if width >= 500 {
            client.set_window_size(width, 1000).await.unwrap();
        }
        client
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

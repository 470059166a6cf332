//! Which pipeline is selected: a folder, or a stack on AWS.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use outside::text;
use outside::unpasted;
use pipeline::{Code, Fault};
use ratatui::style::Color;
use serde::{Serialize, Serializer};

use super::{Config, bad_file, paths, shown::address};
use crate::cli::PlaceArgs;

/// A pipeline by name: `[env.NAME]` of the config file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Its stack on AWS.
    #[serde(flatten)]
    pub stack: Option<StackPlace>,
    /// Whether actions are refused.
    pub read_only: bool,
    /// The colour of its name in the console, as [`Color`] reads it.
    pub color: Option<String>,
}

/// A stack on AWS, and how to reach it. What is not set is as in the AWS CLI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StackPlace {
    /// Its name.
    pub stack: String,
    /// The profile whose credentials are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Another AWS endpoint. It is shown without a password.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "without_password")]
    pub endpoint_url: Option<String>,
}

/// Where a pipeline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// On AWS.
    Stack(StackPlace),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Stack(place) => write!(f, "{place}"),
        }
    }
}

impl fmt::Display for StackPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack {}", self.stack)?;
        let endpoint = self.endpoint_url.as_deref().map(address);
        let connection = [("profile", &self.profile), ("region", &self.region), ("endpoint", &endpoint)];
        for (name, value) in connection {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

fn without_password<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(address).serialize(serializer)
}

/// A selected pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name in the config file, or the stack's, or `embedded`.
    pub name: String,
    /// Where it is.
    pub at: Location,
    /// Whether the environment refuses actions.
    pub read_only: bool,
    /// The colour of its name.
    pub color: Option<String>,
}

impl Place {
    /// The folder of an embedded pipeline.
    ///
    /// # Errors
    /// [`Code::Usage`] for one on AWS, where `doing` cannot be done.
    pub fn folder(&self, doing: &str) -> Result<&Path, Fault> {
        match &self.at {
            Location::Folder(folder) => Ok(folder),
            Location::Stack(place) => Err(Fault::new(
                Code::Usage,
                format!("{doing} is for an embedded pipeline, and {} is on AWS ({place})", self.name),
            )),
        }
    }
}

impl Config {
    /// The environment of this name.
    ///
    /// # Errors
    /// [`Code::NoSuchEnvironment`], or [`Code::FolderUnusable`] where it names no folder and the platform
    /// has none.
    pub fn environment(&self, name: &str) -> Result<Place, Fault> {
        let found = self.environments.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let name = text::shorten(name, 60);
            Fault::new(
                Code::NoSuchEnvironment,
                format!("no environment {name:?} in the config file (it has: {known})"),
            )
        })?;
        let at = match (&found.stack, &found.data) {
            (Some(stack), _) => Location::Stack(stack.clone()),
            (None, Some(data)) => Location::Folder(data.clone()),
            (None, None) => Location::Folder(self.data()?),
        };
        let (read_only, color) = (found.read_only, found.color.clone());
        Ok(Place { name: name.to_owned(), at, read_only, color })
    }

    /// The pipeline that the flags select.
    ///
    /// # Errors
    /// [`Code::Usage`] for flags that contradict each other, or as [`Config::environment`].
    pub fn place(&self, flags: &PlaceArgs) -> Result<Place, Fault> {
        flags.check()?;
        let apply_flags = |place: &mut StackPlace| {
            for (flag, of_place) in [
                (&flags.profile, &mut place.profile),
                (&flags.region, &mut place.region),
                (&flags.endpoint_url, &mut place.endpoint_url),
            ] {
                if flag.is_some() {
                    of_place.clone_from(flag);
                }
            }
        };
        if let Some(name) = &flags.env {
            let mut place = self.environment(name)?;
            match &mut place.at {
                Location::Stack(stack) => apply_flags(stack),
                Location::Folder(_) => {
                    if let Some(flag) = flags.aws_flag() {
                        let what = format!("{flag} is for a stack, but --env {name} is a folder");
                        return Err(Fault::new(Code::Usage, what));
                    }
                }
            }
            return Ok(place);
        }
        let (name, at) = if let Some(stack) = &flags.stack {
            let mut place = StackPlace { stack: stack.clone(), ..StackPlace::default() };
            apply_flags(&mut place);
            (stack.clone(), Location::Stack(place))
        } else {
            let data = match flags.data.as_deref() {
                Some(data) => data.to_str().map_or_else(|| Ok(data.to_owned()), paths::folder)?,
                None => self.data()?,
            };
            ("embedded".to_owned(), Location::Folder(data))
        };
        Ok(Place { name, at, read_only: false, color: None })
    }
}

/// Reads the table `env` of the config file at `path`.
pub(super) fn read(path: &Path, value: toml::Value) -> Result<BTreeMap<String, Environment>, Fault> {
    let shape = || bad_file(path, "env must hold tables, such as [env.prod]");
    let toml::Value::Table(environments) = value else { return Err(shape()) };
    environments
        .into_iter()
        .map(|(name, fields)| {
            let toml::Value::Table(fields) = fields else { return Err(shape()) };
            let environment = read_one(path, fields)
                .map_err(|what| bad_file(path, &format!("[env.{}] {what}", text::shorten(&name, 60))))?;
            Ok((name, environment))
        })
        .collect()
}

fn read_one(path: &Path, fields: toml::Table) -> Result<Environment, String> {
    let mut environment = Environment::default();
    let (mut stack, mut connection) = (None, StackPlace::default());
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("data", toml::Value::String(data)) => {
                let data = paths::expand(unpasted(&data));
                environment.data = Some(path.parent().unwrap_or(Path::new("")).join(data));
            }
            ("stack", toml::Value::String(name)) if !name.trim().is_empty() => stack = Some(name),
            ("profile", toml::Value::String(profile)) => connection.profile = Some(profile),
            ("region", toml::Value::String(region)) => connection.region = Some(region),
            ("endpoint_url", toml::Value::String(url)) => connection.endpoint_url = Some(url),
            ("read_only", toml::Value::Boolean(read_only)) => environment.read_only = read_only,
            ("color", toml::Value::String(color)) => {
                if Color::from_str(&color).is_err() {
                    let color = text::shorten(&color, 40);
                    return Err(format!(
                        "has no valid color: {color:?}; use one such as \"red\" or \"#ff8800\""
                    ));
                }
                environment.color = Some(color);
            }
            (key, _) => {
                return Err(format!("has an unknown key or a wrong value: {:?}", text::shorten(key, 60)));
            }
        }
    }
    match stack {
        Some(_) if environment.data.is_some() => {
            Err("has both data and stack: a pipeline is either in a folder or on AWS".to_owned())
        }
        None if connection != StackPlace::default() => {
            Err("has profile, region or endpoint_url, but no stack".to_owned())
        }
        stack => {
            environment.stack = stack.map(|stack| StackPlace { stack, ..connection });
            Ok(environment)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{cli::Cli, config::tests::load};

    const FILE: &str = "[env.prod]\nstack = \"leads\"\nprofile = \"ops\"\nregion = \"eu-central-1\"\n\
                        read_only = true\ncolor = \"red\"\n[env.box]\ndata = \"/srv/leadops\"\n";

    fn place(args: &[&str]) -> Result<Place, Fault> {
        let cli = Cli::try_parse_from([&["leadops"], args].concat()).unwrap();
        load(FILE, &[]).unwrap().place(&cli.place)
    }

    fn stack(stack: &str, profile: Option<&str>, region: Option<&str>) -> Location {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let (profile, region) = (text(profile), text(region));
        Location::Stack(StackPlace { stack: stack.to_owned(), profile, region, endpoint_url: None })
    }

    #[test]
    fn a_place_is_a_folder_a_stack_or_a_name_for_one() {
        assert_eq!(place(&["--data", "x"]).unwrap().at, Location::Folder("x".into()));
        let bare = place(&["--stack", "s"]).unwrap();
        assert_eq!((bare.name.as_str(), bare.at), ("s", stack("s", None, None)));
        let full = place(&["status", "--stack", "s", "--region", "r", "--profile", "p"]).unwrap();
        assert_eq!(full.at, stack("s", Some("p"), Some("r")));
        let prod = place(&["--env", "prod"]).unwrap();
        assert_eq!((prod.read_only, prod.color.as_deref()), (true, Some("red")));
        assert_eq!(prod.at, stack("leads", Some("ops"), Some("eu-central-1")));
        assert!(prod.folder("up").is_err_and(|fault| fault.code == Code::Usage));
        let elsewhere = place(&["--env", "prod", "--region", "us-east-1"]).unwrap();
        assert_eq!(elsewhere.at, stack("leads", Some("ops"), Some("us-east-1")));
        assert_eq!(place(&["--env", "box"]).unwrap().at, Location::Folder("/srv/leadops".into()));
        assert_eq!(load(FILE, &[]).unwrap().environments.keys().collect::<Vec<_>>(), ["box", "prod"]);
    }

    #[test]
    fn flags_that_contradict_each_other_are_wrong_usage() {
        for (args, parts) in [
            (&["--data", "x", "--stack", "s"][..], ["--data", "--stack"]),
            (&["--data", "x", "status", "--env", "prod"], ["--data", "--env"]),
            (&["--stack", "s", "status", "--env", "prod"], ["--stack", "--env"]),
            (&["--profile", "p"], ["--profile", "--stack"]),
            (&["--data", "x", "--region", "r"], ["--region", "--stack"]),
            (&["--env", "box", "--endpoint-url", "http://x"], ["--endpoint-url", "folder"]),
            (&["--stack", ""], ["--stack", "empty"]),
        ] {
            let fault = place(args).unwrap_err();
            assert_eq!(fault.code, Code::Usage, "{args:?}");
            assert!(parts.iter().all(|part| fault.what.contains(part)), "{args:?}: {fault}");
        }
        let fault = place(&["--env", "test"]).unwrap_err();
        assert!(fault.code == Code::NoSuchEnvironment && fault.what.contains("box, prod"), "{fault}");
    }

    #[test]
    fn an_endpoint_is_shown_without_its_password() {
        let stack = StackPlace {
            stack: "s".to_owned(),
            endpoint_url: Some("http://u:hunter2@127.0.0.1:4566".to_owned()),
            ..StackPlace::default()
        };
        let json = serde_json::to_string(&stack).unwrap();
        for shown in [stack.to_string(), json] {
            assert!(shown.contains("http://…@127.0.0.1:4566/") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn an_environment_is_in_one_place() {
        for (fields, part) in [
            ("data = \"x\"\nstack = \"s\"", "both data and stack"),
            ("region = \"r\"", "no stack"),
            ("stack = \"\"", "stack"),
            ("stack = 1", "stack"),
            ("color = \"reddish\"", "reddish"),
            ("read_onyl = true", "read_onyl"),
        ] {
            let fault = load(&format!("[env.prod]\n{fields}"), &[]).unwrap_err();
            assert_eq!(fault.code, Code::ConfigFileBad);
            assert!(fault.what.contains("env.prod") && fault.what.contains(part), "{fault}");
        }
    }
}

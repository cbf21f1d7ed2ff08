//! The settings of a training run as flags.

use clap::FromArgMatches as _;

use super::config::TrainConfig;

/// The flags of [`TrainConfig`] as they were given: they change a preset or a file, and what was not given stays.
#[derive(Clone, Debug)]
pub struct ConfigFlags(clap::ArgMatches);

impl ConfigFlags {
    /// `config` with the flags that were given.
    pub fn applied_to(&self, mut config: TrainConfig) -> Result<TrainConfig, clap::Error> {
        config.update_from_arg_matches(&self.0)?;
        Ok(config)
    }
}

impl clap::FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0 = matches.clone();
        Ok(())
    }
}

impl clap::Args for ConfigFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        TrainConfig::augment_args_for_update(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        TrainConfig::augment_args_for_update(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Augmentation, Preset};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: ConfigFlags,
    }

    fn with_flags(flags: &[&str], config: TrainConfig) -> TrainConfig {
        let line = ["train"].iter().chain(flags);
        <Line as clap::Parser>::try_parse_from(line).unwrap().flags.applied_to(config).unwrap()
    }

    #[test]
    fn flags_change_only_what_they_name() {
        let base = TrainConfig::preset(Preset::Ct2rgb);
        assert_eq!(with_flags(&[], base.clone()), base, "no flags, no change");
        let changed = with_flags(&["--batch", "7", "--augment-scale", "0.2"], base.clone());
        let augmentation = Augmentation { scale: 0.2, ..base.augmentation.clone() };
        assert_eq!(changed, TrainConfig { batch: 7, augmentation, ..base }, "two settings");
    }
}

//! What a run writes about its generator.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine::training_messages::HeldOutMetrics;
use crate::model::WeightsCard;
use crate::training::{Adversarial, Dataset, Perceptual, TrainConfig, Upsampling};

/// Begins the part of a card's data that says where a run began.
const FINE_TUNED: &str = ", fine-tuned from ";
/// The same of the run before it.
const BEFORE: &str = ", that one from ";

/// The card of a run's generator, before it is measured. `start`: of the weights that it began with.
pub(super) fn of_run(
    config: &TrainConfig,
    start: Option<&WeightsCard>,
    slices: &str,
    dataset: &Dataset,
) -> WeightsCard {
    let from = start.map_or_else(String::new, lineage);
    let words = if config.data.is_empty() { String::new() } else { format!("{}: ", config.data) };
    WeightsCard {
        name: config.name.clone(),
        data: format!("{words}{slices} slices{from}"),
        regions: regions(config, start),
        licence: config.licence.clone(),
        architecture: architecture(config),
        optimizer: optimizer(config),
        losses: losses(config),
        tool: concat!("ct2rgb ", env!("CARGO_PKG_VERSION")).to_owned(),
        date: today(),
        region: dataset.region_model().ok(),
        ..WeightsCard::default()
    }
}

/// What a run began with, and what that one began with.
fn lineage(start: &WeightsCard) -> String {
    let steps = start.steps.map_or_else(String::new, |steps| format!(", {steps} steps"));
    let earlier = start.data.split_once(FINE_TUNED).map_or_else(String::new, |(_, rest)| format!("{BEFORE}{rest}"));
    format!("{FINE_TUNED}{} ({}{steps}){earlier}", start.name, start.short_hash())
}

/// As they were named, else those of the weights that the run began with: they have seen them.
fn regions(config: &TrainConfig, start: Option<&WeightsCard>) -> Vec<String> {
    match start {
        Some(card) if config.regions.is_empty() => card.regions.clone(),
        _ => config.regions.clone(),
    }
}

fn architecture(config: &TrainConfig) -> String {
    let doubling = match config.upsampling {
        Upsampling::Transposed => "",
        Upsampling::Resize => ", doubling by resize-convolution",
    };
    format!("pix2pix U-Net, 8 levels, {} filters{doubling}", config.base_channels)
}

fn optimizer(config: &TrainConfig) -> String {
    let TrainConfig { learning_rate, beta1, beta2, decay_from, ema_decay, .. } = config;
    format!(
        "Adam, learning rate {learning_rate}, betas {beta1} and {beta2}, linear decay from {decay_from} of the run, \
         running mean {ema_decay}"
    )
}

fn losses(config: &TrainConfig) -> String {
    let adversarial = match config.adversarial {
        Adversarial::LeastSquares => format!("{} · least squares, ", config.lambda_adversarial),
        Adversarial::Log => format!("{} · log, ", config.lambda_adversarial),
        Adversarial::None => String::new(),
    };
    let perceptual = match config.perceptual {
        Perceptual::LpipsAlex => "LPIPS with AlexNet".to_owned(),
        Perceptual::LpipsVgg => "LPIPS with VGG-16".to_owned(),
        Perceptual::LpipsBoth => format!(
            "(LPIPS with AlexNet + {} · LPIPS with VGG-16 on parts of {} pixels)",
            config.lambda_vgg, config.vgg_part
        ),
        Perceptual::Alex => "features of AlexNet".to_owned(),
        Perceptual::Vgg => "features of VGG-16".to_owned(),
        Perceptual::Resnet50 => "features of ResNet-50".to_owned(),
        Perceptual::None => "no perceptual loss".to_owned(),
    };
    let shift = config.perceptual_shift;
    let moving =
        if shift > 0 { format!(", seen through a window that moves by up to {shift} pixels") } else { String::new() };
    format!("{adversarial}{} · L1, {} · {perceptual}{moving}", config.lambda_rec, config.lambda_perc)
}

/// The card with the figures of a measurement.
pub(super) fn measured(mut card: WeightsCard, metrics: &HeldOutMetrics) -> WeightsCard {
    let figures = [("rmse", Some(metrics.rmse)), ("ssim", Some(metrics.ssim)), ("lpips", Some(metrics.lpips))];
    let others = [("lpips_vgg", metrics.lpips_vgg), ("lattice", metrics.lattice)];
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    for (name, value) in figures.into_iter().chain(others) {
        if let Some(value) = value {
            card.metrics.insert(name.to_owned(), rounded(value));
        }
    }
    card
}

/// What makes one measurement better than another: lower is better.
pub(super) fn score(metrics: &HeldOutMetrics) -> f64 {
    metrics.lpips + metrics.lpips_vgg.unwrap_or_default()
}

/// The score of a measured card.
pub(super) fn score_of_card(card: &WeightsCard) -> Option<f64> {
    let lpips = card.metrics.get("lpips")?;
    Some(lpips + card.metrics.get("lpips_vgg").copied().unwrap_or_default())
}

/// The day in UTC, ISO 8601.
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    date_of_day(days)
}

/// The date so many days after 1 January 1970, by the Gregorian calendar (Hinnant's `civil_from_days`).
fn date_of_day(days: u64) -> String {
    // Counted from 1 March of the year 0, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_tells_all_that_its_generator_went_through() {
        let card = |name: &str, data: &str| WeightsCard {
            name: name.to_owned(),
            data: data.to_owned(),
            steps: Some(500),
            sha256: format!("{name}23456789abcdef"),
            ..WeightsCard::default()
        };
        let first = lineage(&card("a1", "head 200 slices"));
        assert_eq!(first, ", fine-tuned from a1 (a123456789ab, 500 steps)");
        let second = lineage(&card("b1", &format!("head 200 slices{first}")));
        assert_eq!(
            second,
            ", fine-tuned from b1 (b123456789ab, 500 steps), that one from a1 (a123456789ab, 500 steps)"
        );
        let third = lineage(&card("c1", &format!("head 200 slices{second}")));
        assert!(
            third.ends_with("that one from b1 (b123456789ab, 500 steps), that one from a1 (a123456789ab, 500 steps)")
        );
    }

    #[test]
    fn days_become_dates() {
        for (days, date) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (11_017, "2000-03-01"), (20_453, "2025-12-31")]
        {
            assert_eq!(date_of_day(days), date, "day {days}");
        }
    }
}

//! How well a photograph fits its CT, and which slices of a set do not.

use serde::{Deserialize, Serialize};

use super::super::registration::{Placement, Subject, median};
use super::ct::CtPlane;
use super::photo::PhotoPlane;

/// Slices on either side that a slice is compared with.
const NEIGHBORS: usize = 8;
/// Tissue that the CT shows and the photograph does not, beyond what its neighbours lack: a piece was torn out, or lost.
const MOST_MISSING: f64 = 0.06;
/// Furthest that a slice may lie from where its neighbours lie.
const FURTHEST_MM: f64 = 6.0;
/// Furthest that a slice may lie from the place of its set.
const FURTHEST_OF_SET_MM: f64 = 14.0;
/// Least similarity, as a share of the neighbours'.
const LEAST_SIMILARITY: f64 = 0.6;

/// What is measured of one pair, in the place of its set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Where this slice alone would lie, from the place of its set.
    pub own_shift_mm: [f64; 2],
    /// Normalised mutual information less 1.
    pub similarity: f64,
    /// Share of the CT's tissue that is none on the photograph.
    pub missing_share: f64,
}

impl Measures {
    pub(super) fn of(ct: &CtPlane, photo: &PhotoPlane, subject: &Subject, placement: &Placement) -> Self {
        let (own_shift_mm, similarity) = subject.own_shift(placement);
        let is_tissue = |index: usize| {
            let on_photo = photo.plane.index_at(placement.on_photo_mm(ct.plane.place_mm(index)));
            on_photo.is_some_and(|index| photo.plane.values[index] > 0.0)
        };
        let tissue = (0..ct.tissue.len()).filter(|&index| ct.tissue[index]);
        let (count, missing) =
            tissue.fold((0, 0), |(count, missing), index| (count + 1, missing + usize::from(!is_tissue(index))));
        let round = |value: f64| (value * 1e4).round() / 1e4;
        Self {
            own_shift_mm: own_shift_mm.map(round),
            similarity: round(similarity),
            missing_share: round(missing as f64 / f64::max(f64::from(count), 1.0)),
        }
    }
}

/// Why slices of a set are not used, in the order of `measures`, which are by level; `None` for those that are.
pub(super) fn judge(measures: &[Measures]) -> Vec<Option<(super::Reason, String)>> {
    (0..measures.len()).map(|index| judge_one(measures, index)).collect()
}

fn judge_one(measures: &[Measures], index: usize) -> Option<(super::Reason, String)> {
    let near = &measures[index.saturating_sub(NEIGHBORS)..(index + NEIGHBORS + 1).min(measures.len())];
    let usual = |value: &dyn Fn(&Measures) -> f64| median(near.iter().map(value).collect());
    let own = &measures[index];
    let missing = own.missing_share - usual(&|m| m.missing_share);
    if missing > MOST_MISSING {
        let detail = format!("{:.0} % of the tissue that the CT shows is missing", own.missing_share * 100.0);
        return Some((super::Reason::Torn, detail));
    }
    let usual_shift: [f64; 2] = std::array::from_fn(|k| usual(&|m| m.own_shift_mm[k]));
    let [x, y] = own.own_shift_mm;
    let from_neighbors = (x - usual_shift[0]).hypot(y - usual_shift[1]);
    if from_neighbors > FURTHEST_MM || x.hypot(y) > FURTHEST_OF_SET_MM {
        let detail = format!("fits the CT best {x:+.1} mm across and {y:+.1} mm down from the place of its set");
        return Some((super::Reason::OffPlace, detail));
    }
    let usual_similarity = usual(&|m| m.similarity);
    if own.similarity < LEAST_SIMILARITY * usual_similarity {
        let detail = format!("agrees with its CT by {:.3}, its neighbours by {usual_similarity:.3}", own.similarity);
        return Some((super::Reason::Unlike, detail));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Reason;
    use super::*;

    const USUAL: Measures = Measures { own_shift_mm: [1.0, -1.0], similarity: 0.3, missing_share: 0.04 };

    #[test]
    fn each_slice_is_held_against_its_neighbours() {
        let mut measures = vec![USUAL; 30];
        measures[5].missing_share = 0.2;
        measures[9].own_shift_mm = [9.0, -1.0];
        measures[14].similarity = 0.1;
        // A slow change is no fault.
        measures.extend((0..40).map(|k| Measures { missing_share: 0.04 + f64::from(k) * 0.004, ..USUAL }));
        let verdicts = judge(&measures);
        let rejected: Vec<_> = (0..70).filter_map(|i| verdicts[i].as_ref().map(|(reason, _)| (i, *reason))).collect();
        assert_eq!(rejected, [(5, Reason::Torn), (9, Reason::OffPlace), (14, Reason::Unlike)]);
    }
}

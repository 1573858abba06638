//! Which ids a project's new network may get, in the order in which they are tried.

use std::ops::RangeInclusive;

use navigator_model::ProjectId;

use super::NetworkSegmentRange;
use crate::{Facts, Stop};

type Ids = Vec<(u32, u32)>;

/// First those kept for the project; then those of everybody's ranges, or the configured ones while
/// there are none, without what is kept for any project.
pub(crate) fn candidates(
    project_id: &ProjectId,
    network_type: &str,
    physical_network: Option<&str>,
    configured: RangeInclusive<u32>,
    facts: &Facts,
) -> Result<Vec<Ids>, Stop> {
    let ranges = NetworkSegmentRange::alike(network_type, physical_network, facts)?;
    let ids = |range: &NetworkSegmentRange| (range.minimum, range.maximum);
    let (kept, shared): (Vec<_>, Vec<_>) =
        ranges.iter().partition(|range| range.owner().is_some());
    let own: Ids = kept
        .iter()
        .filter(|range| range.owner() == Some(project_id))
        .map(|range| ids(range))
        .collect();
    let mut common: Ids = shared.iter().map(|range| ids(range)).collect();
    if common.is_empty() {
        common.push((*configured.start(), *configured.end()));
    }
    for range in kept {
        common = common.into_iter().flat_map(|open| without(open, ids(range))).collect();
    }
    Ok([own, common].into_iter().filter(|ids| !ids.is_empty()).collect())
}

/// What is left of `open` beside `taken`.
fn without((first, last): (u32, u32), taken: (u32, u32)) -> Ids {
    let (from, to) = taken;
    if to < first || from > last {
        return vec![(first, last)];
    }
    let mut left = Ids::new();
    if first < from {
        left.push((first, from - 1));
    }
    if to < last {
        left.push((to + 1, last));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_cut_out() {
        for (taken, left) in [
            ((1, 9), vec![(10, 20)]),
            ((5, 10), vec![(11, 20)]),
            ((12, 14), vec![(10, 11), (15, 20)]),
            ((20, 30), vec![(10, 19)]),
            ((21, u32::MAX), vec![(10, 20)]),
            ((0, u32::MAX), vec![]),
        ] {
            assert_eq!(without((10, 20), taken), left, "{taken:?}");
        }
    }
}

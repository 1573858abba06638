//! The kernel's flows, on any bytes.

use proptest::prelude::*;

use super::index::{Flow, FlowIndex};
use crate::fuzz::attributes;

proptest! {
    #[test]
    fn fuzz_flows(original in attributes(), reply in attributes()) {
        if let Some(flow) = Flow::parse(&original, &reply) {
            // Of nothing to delete no flow is part.
            prop_assert!(!FlowIndex::new(&[]).matches(&flow));
        }
    }
}

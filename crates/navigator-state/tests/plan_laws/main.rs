//! Laws that every plan keeps, on random states of a small world, against the kernel in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod world;

use navigator_state::{Action, Desired, Plan, plan, simulate::ModelKernel};
use proptest::prelude::*;

use world::{arbitrary_desired, arbitrary_vandalism, scope, vandalise};

fn settled(desired: &Desired) -> ModelKernel {
    let mut kernel = ModelKernel::new(scope());
    converge(&mut kernel, desired);
    kernel
}

fn plan_now(kernel: &ModelKernel, desired: &Desired) -> Plan {
    plan(desired, &kernel.observe(desired))
}

/// One plan must be enough, and no step of it may be refused.
fn converge(kernel: &mut ModelKernel, desired: &Desired) {
    let first = plan_now(kernel, desired);
    for (step, result) in first.steps.iter().zip(kernel.apply(&first)) {
        assert_eq!(result, Ok(()), "{step:?} in {:#?}", first.steps);
    }
    assert_eq!(plan_now(kernel, desired).steps, [], "after {:#?}", first.steps);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_as_wanted_needs_no_step(desired in arbitrary_desired()) {
        let kernel = settled(&desired);
        prop_assert!(plan_now(&kernel, &desired).is_empty());
    }

    #[test]
    fn one_plan_leads_from_any_state_to_any_other(
        before in arbitrary_desired(),
        vandalism in arbitrary_vandalism(),
        after in arbitrary_desired(),
    ) {
        let mut kernel = settled(&before);
        vandalise(&mut kernel, &vandalism);
        converge(&mut kernel, &after);
    }

    #[test]
    fn a_step_refused_once_is_made_good_by_planning_again(
        before in arbitrary_desired(),
        after in arbitrary_desired(),
    ) {
        let kernel = settled(&before);
        let first = plan_now(&kernel, &after);
        for refused in 0..first.steps.len() {
            let mut kernel = kernel.clone();
            for (n, step) in first.steps.iter().enumerate() {
                // What depends on the refused step is refused as well: that is not the point here.
                let _ = if n == refused { Ok(()) } else { kernel.apply_step(step) };
            }
            converge(&mut kernel, &after);
        }
    }

    #[test]
    fn connections_are_dropped_after_the_rules_changed(
        before in arbitrary_desired(),
        after in arbitrary_desired(),
    ) {
        let steps = plan_now(&settled(&before), &after).steps;
        let rule = |action: &Action| matches!(
            action,
            Action::ReplaceSkeleton { .. } | Action::ChangeElements { .. } | Action::DeleteTable { .. }
        );
        let last_rule = steps.iter().rposition(|step| rule(&step.action));
        let first_flush =
            steps.iter().position(|step| matches!(step.action, Action::FlushFlows { .. }));
        if let (Some(last_rule), Some(first_flush)) = (last_rule, first_flush) {
            prop_assert!(last_rule < first_flush);
        }
    }

    #[test]
    fn nothing_wanted_leaves_nothing_behind(before in arbitrary_desired()) {
        let mut kernel = settled(&before);
        converge(&mut kernel, &Desired::nothing(scope()));
        prop_assert_eq!(kernel.state, ModelKernel::new(scope()).state);
    }
}

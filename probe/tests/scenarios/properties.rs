//! What holds whatever the kernel reports, in whatever order. The fuzz targets look for more of the same.

use proptest::prelude::*;
use serde_json::Value;

use super::operations::{OPERATION, Run, run};
use super::{check, run as runs};

/// More with `PROPTEST_CASES`.
fn at_least(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(cases), ..config }
}

/// The kind of kernel and up to some operations, which shrink one by one.
fn operations() -> impl Strategy<Value = Vec<u8>> {
    let operation = any::<[u8; OPERATION]>();
    (0..16_u8, proptest::collection::vec(operation, 0..120)).prop_map(|(kernel, operations)| {
        let mut bytes = vec![kernel];
        bytes.extend(operations.concat());
        bytes
    })
}

fn json(run: &Run) -> Result<Vec<Value>, TestCaseError> {
    let records = check::holds(run).map_err(TestCaseError::fail)?;
    Ok(records.iter().map(|record| serde_json::to_value(record).expect("a record is JSON")).collect())
}

proptest! {
    #![proptest_config(at_least(4_000))]

    #[test]
    fn every_beginning_has_one_end_in_any_order_of_events(bytes in operations()) {
        check::holds(&run(&bytes)).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(at_least(200))]

    #[test]
    fn a_replay_of_anything_gives_the_same_records(bytes in operations()) {
        let run = run(&bytes);
        let live = json(&run)?;
        prop_assert_eq!(runs::replayed(&run.inputs, &run.header, &run.config), live);
    }

    #[test]
    fn batches_of_one_event_give_the_same_records_of_anything(bytes in operations()) {
        let whole = run(&bytes);
        let inputs = runs::split(&whole.inputs);
        let split = Run { header: whole.header.clone(), config: whole.config.clone(), inputs };
        prop_assert_eq!(json(&split)?, json(&whole)?);
    }
}

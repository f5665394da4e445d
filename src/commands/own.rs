//! The profile's own tests, as far as the price cap lets them through.

use super::prove::Run;
use crate::apply::record::RecordedRoute;
use crate::profile::Test;
use crate::verify::case::{Case, Sort};
use crate::verify::check::Check;
use crate::verify::choose::{Choice, dollars};
use crate::verify::own;

impl Run<'_> {
    /// The profile's own tests.
    pub fn own(&self, choice: &Choice, known: &[Case]) -> Vec<Box<dyn Check>> {
        let base = &self.record.base_url;
        let routed = self.record.tests.iter().filter_map(|test| {
            let route = self.record.routes.iter().find(|r| r.name == test.route)?;
            let (id, of) = (own::id(test), (route.name.as_str(), route.path.as_str()));
            choice
                .takes(Sort::Own, &id, Some(of))
                .then_some((test, route))
        });
        let check = |(test, route): (&Test, &RecordedRoute)| {
            let url = format!("{base}{}{}", route.path, test.path);
            let (test, settle) = (test.clone(), self.patience.settle);
            let unasked = self.unpaid(&test, known);
            Box::new(own::Own {
                url,
                test,
                settle,
                unasked,
            }) as Box<dyn Check>
        };
        routed.map(check).collect()
    }

    /// Why an own test is not asked: what it costs is more than is left, or nobody knows what it costs.
    fn unpaid(&self, test: &Test, known: &[Case]) -> Option<String> {
        let mut known = known.iter();
        let case = known.find(|case| case.is_main && case.route == test.route);
        let here = |case: &&Case| {
            let host = case.lane.rsplit_once(':').map_or("", |(host, _)| host);
            let mut wires = self.record.wires.values();
            wires.any(|wire| wire.host == host)
        };
        let case = case.filter(|case| !here(case))?;
        match own::price(test, case) {
            Some(price) if self.budget.take(price) => None,
            Some(price) => Some(format!(
                "would cost up to {}, more than is left of --max-cost",
                dollars(price)
            )),
            None => Some(
                "what it may cost is not known: it needs max_tokens in its body, or a model with a known price"
                    .to_string(),
            ),
        }
    }
}

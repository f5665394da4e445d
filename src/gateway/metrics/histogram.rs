//! A histogram of Prometheus: how many samples are no greater than each bound.

#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    /// One more than there are bounds; not yet summed up.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub fn new(bounds: &'static [f64]) -> Histogram {
        Histogram {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    pub fn add(&mut self, sample: f64) {
        let place = self.bounds.partition_point(|bound| *bound < sample);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += sample;
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every bound, the infinite one included, with the number of samples up to it.
    pub fn buckets(&self) -> impl Iterator<Item = (String, u64)> {
        let bounds = self.bounds.iter().map(|bound| format!("{bound:?}"));
        let bounds = bounds.chain(std::iter::once("+Inf".to_string()));
        bounds.zip(&self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((bound, *sum))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_samples_up_to_its_bound() {
        let mut histogram = Histogram::new(&[1.0, 4.0]);
        for sample in [0.5, 1.0, 3.0, 100.0] {
            histogram.add(sample);
        }
        let buckets: Vec<(String, u64)> = histogram.buckets().collect();
        let expected = [("1.0", 2), ("4.0", 3), ("+Inf", 4)];
        assert_eq!(
            buckets,
            expected.map(|(bound, count)| (bound.to_string(), count))
        );
        assert_eq!((histogram.count(), histogram.sum()), (4, 104.5));
    }
}

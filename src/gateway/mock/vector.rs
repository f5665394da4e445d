//! Embeddings that mean only which words a text has: texts with words in common are near each other.

const USUAL: usize = 256;
const LARGEST: usize = 4096;

/// How long a model's vectors are: as asked, or as long as those of the model that is imitated.
pub(super) fn size(model: &str, asked: Option<usize>) -> usize {
    let usual = match model {
        name if name.contains("text-embedding-3-large") => 3072,
        name if name.contains("text-embedding-") || name.contains("gemini-embedding") => 1536,
        _ => USUAL,
    };
    asked.unwrap_or(usual).clamp(1, LARGEST)
}

/// The same for the same words; its length is 1.
pub(super) fn vector(text: &str, size: usize) -> Vec<f32> {
    let mut sum = vec![0.0; size];
    let lower = text.to_lowercase();
    let split = lower.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = split.filter(|word| !word.is_empty()).collect();
    let nothing = [""];
    for word in if words.is_empty() {
        &nothing[..]
    } else {
        &words[..]
    } {
        let mut state = word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for place in &mut sum {
            *place += next(&mut state);
        }
    }
    let length = sum
        .iter()
        .map(|number: &f32| number * number)
        .sum::<f32>()
        .sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    sum.into_iter().map(|number| number / length).collect()
}

/// A number between -1 and 1 (SplitMix64).
fn next(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 24 bits are what an f32 holds exactly.
    (mixed >> 40) as f32 / 8_388_608.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: &str, b: &str) -> f32 {
        let (a, b) = (vector(a, USUAL), vector(b, USUAL));
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_with_words_in_common_are_nearer() {
        assert!((near("The cat sat.", "the cat sat") - 1.0).abs() < 1e-4);
        assert!(near("a cat sat", "a cat ran") > 0.4);
        assert!(near("a cat sat", "seven blue trains").abs() < 0.3);
    }

    #[test]
    fn a_vector_is_as_long_as_the_model_it_imitates_has_it() {
        let table = [
            ("text-embedding-3-large", None, 3072),
            ("text-embedding-3-small", Some(512), 512),
            ("mock", None, 256),
            ("m", Some(0), 1),
            ("m", Some(usize::MAX), LARGEST),
        ];
        for (model, asked, expected) in table {
            assert_eq!(size(model, asked), expected, "{model}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_vector_of_length_1(text in ".{0,60}", size in 1usize..64) {
            let vector = vector(&text, size);
            let length = vector.iter().map(|number| number * number).sum::<f32>();
            prop_assert!((length - 1.0).abs() < 1e-3, "{length}");
        }
    }
}

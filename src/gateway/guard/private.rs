//! The built-in kinds of private data, found by their shape as agentgateway 0.12 finds them: no
//! checksums for cards, a valid number in one of seven countries for phones.

use std::ops::Range;

use phonenumber::country;
use regex::Regex;

/// Where a phone number without a country code may belong.
const COUNTRIES: [country::Id; 7] = [
    country::US,
    country::GB,
    country::DE,
    country::IL,
    country::IN,
    country::CA,
    country::BR,
];

const SSN: &str =
    r"\b(?:[0-9]{3}[- .][0-9]{2}[- .][0-9]{4}|[0-9]{5}-[0-9]{4}|[0-9]{3}-[0-9]{6}|[0-9]{9})\b";
/// The first digits tell whose card it is; Diners' last group is longer.
const CARD: &str = r"\b(?:(?:[346][0-9]{3}|5[0-5][0-9]{2})[- ]?[0-9]{3,4}[- ]?[0-9]{3,4}[- ]?[0-9]{3,5}|1[0-9]{3}[- ]?[0-9]{3,4}[- ]?[0-9]{3,4}[- ]?[0-9]{4,5})\b";
const EMAIL: &str = r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+";
const SIN: &str = r"\b(?:[0-9]{3}[- ][0-9]{3}[- ][0-9]{3}|[0-9]{9})\b";
/// What may be a phone number; a digit before it would make it part of a longer one.
const PHONE: &str = r"(?:^|[^0-9])([+()]?[0-9][0-9\s().-]{6,30})";

/// One kind of private data.
#[derive(Debug)]
pub struct Private {
    kind: Kind,
    shape: Regex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ssn,
    CreditCard,
    PhoneNumber,
    Email,
    CaSin,
}

impl Private {
    /// The kind of this name in `builtins`.
    pub fn named(name: &str) -> Result<Private, String> {
        let (kind, shape) = match name {
            "Ssn" => (Kind::Ssn, SSN),
            "CreditCard" => (Kind::CreditCard, CARD),
            "PhoneNumber" => (Kind::PhoneNumber, PHONE),
            "Email" => (Kind::Email, EMAIL),
            "CaSin" => (Kind::CaSin, SIN),
            other => return Err(format!("unknown built-in pattern {other:?}")),
        };
        let shape = Regex::new(shape).map_err(|error| error.to_string())?;
        Ok(Private { kind, shape })
    }

    /// What stands for the data afterwards.
    pub fn mask(&self) -> &'static str {
        match self.kind {
            Kind::Ssn => "<SSN>",
            Kind::CreditCard => "<CREDIT_CARD>",
            Kind::PhoneNumber => "<PHONE_NUMBER>",
            Kind::Email => "<EMAIL_ADDRESS>",
            Kind::CaSin => "<CA_SIN>",
        }
    }

    /// Where the data is, in the order of the text, nothing twice.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        match self.kind {
            Kind::PhoneNumber => {
                let candidates = self.shape.captures_iter(text);
                let candidates = candidates.filter_map(|captures| captures.get(1));
                let valid = candidates.filter(|candidate| is_phone(candidate.as_str()));
                valid.map(|candidate| candidate.range()).collect()
            }
            Kind::Ssn | Kind::CreditCard | Kind::Email | Kind::CaSin => {
                let found = self.shape.find_iter(text);
                found.map(|found| found.range()).collect()
            }
        }
    }
}

fn is_phone(candidate: &str) -> bool {
    COUNTRIES.iter().any(|country| {
        phonenumber::parse(Some(*country), candidate).is_ok_and(|number| number.is_valid())
    })
}

//! Campaigns, creatives, targeting: a pure decision from audience, subject, break and clock.

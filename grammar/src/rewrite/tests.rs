//! Do rewrites find what they look for?

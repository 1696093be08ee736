"""A page on which two encoders search side by side; `app` serves it."""

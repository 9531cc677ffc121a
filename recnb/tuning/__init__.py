"""Ways of tuning a language model: methods, adapters, bases in fewer bits, several adapters on one base."""

"""The banks of phrases, one file a domain. All texts are made up for this project."""

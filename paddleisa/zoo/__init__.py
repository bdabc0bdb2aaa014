"""The zoo: the catalogue of published models, their download, and what is compared with them."""

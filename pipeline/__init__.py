"""What `dodo.py` calls: executing notebooks, and building the site from them."""

"""What several tests use: rules, films, pictures, archives, a browser, a screen."""

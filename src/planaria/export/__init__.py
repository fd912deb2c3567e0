"""What leaves planaria: films and stills, found by the suffix they are written with."""

"""What a picture is compared by. Every loss is per sample and named."""

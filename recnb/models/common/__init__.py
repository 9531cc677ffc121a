"""What several families of models use."""

"""What a search's trials say: which parameters matter, whether stopping early was safe, what pruned trials lacked."""

"""Whether a training can work at all, found out in seconds: data, network and recipe looked at before they are used."""

"""Safety: how much a text reads like pornography, gambling, fraud or hatred, by phrases that stand close together and by models."""

"""Safety: how much a text reads like pornography, gambling, fraud or hatred, by weighted phrases that stand close together."""

"""The bundled Baichuan torch model that checks each corpus variant; filled by its own part of the system."""

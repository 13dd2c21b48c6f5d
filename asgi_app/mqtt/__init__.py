"""Home Assistant by MQTT: the lights, groups, scenes and shows of this panel as its devices and entities.

Without a broker in the settings, nothing of this package is imported.
"""

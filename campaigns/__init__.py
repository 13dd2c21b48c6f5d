"""Long checks that are bounded in time: faults under load, fuzzing, the OpenAPI document, hours of coming and going."""

"""A questionnaire to take apart in tests."""

# Small enough to read, with one of everything.
DEFINITION = """
key = "two-items"
version = "1"
title = "Two items"
lead_in = "This week:"
direction = "lower-is-better"
missing = "every-item-required"
panel_loinc = "55757-9"
languages = ["en"]
licence = "Free"
notice = "None"
source = "Somebody 2001"
convention = false

[recall]
text = "This week"
days = 7
minimum_days_from_dose = 7
source = "Somebody 2001"
convention = false

[[options]]
value = 0
label = "No"
loinc = "LA32-8"

[[options]]
value = 1
label = "Yes"

[[items]]
key = "first"
text = "First?"
loinc = "44250-9"

[[items]]
key = "second"
text = "Second?"
scale = { low = 0, high = 4, low_label = "None", high_label = "All" }

[[extras]]
key = "extra"
text = "Extra?"
scale = { low = 1, high = 3, low_label = "None", high_label = "All" }

[total]
loinc = "55758-7"

[total.bands]
source = "Somebody 2001"
convention = true
steps = [
    { key = "few", label = "Few", low = 0, high = 2 },
    { key = "many", label = "Many", low = 3, high = 5 },
]

[total.response_percent]
value = 50
source = "Somebody 2001"
convention = true

[suicide_item]
item = "first"
levels = { 1 = "high" }
source = "Somebody 2001"
convention = true
"""

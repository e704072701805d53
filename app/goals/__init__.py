"""What a patient wants to change, in their own words.

An integration goal is sealed text with a life area, written by the patient and read by everyone
who cares for them, coaches included.

    goal  sealed words and why they matter, life area, status
"""

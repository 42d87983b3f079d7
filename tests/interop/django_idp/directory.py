"""What djangosaml2idp2 asks about a person, beyond what Django's own table of users has room for."""

from django.conf import settings
from djangosaml2idp.processors import BaseProcessor


class DirectoryProcessor(BaseProcessor):
    """States a person's attributes, one value for each group."""

    def create_identity(self, user, sp_attribute_mapping):
        person = settings.PEOPLE[user.username]
        return {
            "uid": person["uid"],
            "mail": person["mail"],
            "displayName": person["name"],
            "department": person["department"],
            "groups": list(person["groups"]),
        }

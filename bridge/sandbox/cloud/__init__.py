"""The stand-in Alibaba Cloud: accounts, their management by RAM and IMS, STS, and the console's two sign-in addresses.

It is a second opinion. It verifies what it is shown with its own code and other libraries than the bridge does, and
answers in the vendor's words, so that a wrong assertion fails here first. What it cannot know about the live
service it decides strictly. ``app.create_cloud`` makes the application; what is issued lives in memory and ends with
the process, and what is changed by API is kept (``directory``).
"""

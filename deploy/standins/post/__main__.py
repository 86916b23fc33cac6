from deploy.standins import post
from deploy.standins.common import arguments, serve, setting
from deploy.standins.post.app import PostOffice, create

options = arguments(post.__doc__, ["port"])
office = PostOffice(setting("MOTCUA_POST_SECRET"), setting("MOTCUA_POST_CALLBACK_URL"))
serve(create(office), options.host, options.port)
